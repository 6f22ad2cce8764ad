"""What comes to a site from outside, by the hour: weather, price and carbon, from files or the catalog."""
