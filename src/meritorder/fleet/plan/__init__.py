"""What `merit plan` is asked for, in the fleet file: demand over years, offers, sites to build on, promises to keep."""
