"""What if one site, supplier or power feed is lost at the busiest time: which services break?"""
