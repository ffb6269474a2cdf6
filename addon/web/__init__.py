"""The doors: web pages for people, and the address that Google pushes to."""
