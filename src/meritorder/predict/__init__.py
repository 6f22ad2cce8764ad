"""Predicting rows of measured data: what `merit predict` and the accuracy table are made of."""
