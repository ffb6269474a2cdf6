"""The real process from outside: started, driven through Google and MQTT, killed and stopped."""
