"""What an hour is at a site: facility power by IT power and weather, price, carbon."""

from meritorder.plan.sites.hours import SiteHours as SiteHours
from meritorder.plan.sites.hours import site_hours as site_hours
