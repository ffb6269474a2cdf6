"""The whole engine on a virtual clock, against the fake Google, with neither threads nor sockets."""
