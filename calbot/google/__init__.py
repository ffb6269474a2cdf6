"""Google's calendar service, spoken to through its official client."""
