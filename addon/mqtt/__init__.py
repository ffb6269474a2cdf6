"""The bridge to Home Assistant: commands in, outcomes and states out, over one MQTT broker."""
