"""The site around the machines: IT watts to grid watts, heat to coolant, weather, price, carbon, limits over time."""
