"""How the coefficients of the catalog's machines are fitted; run by scripts/fit_machines.py."""
