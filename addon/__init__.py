"""The shell around the engine: options, MQTT, web pages, alerts and the life of the process."""
