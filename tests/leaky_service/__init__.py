"""A service with thirteen holes that can be opened one by one."""
