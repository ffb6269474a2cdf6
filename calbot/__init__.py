"""The engine: it knows calendars, and nothing of Home Assistant, MQTT or HTTP servers."""

__version__ = "0.1.0"
