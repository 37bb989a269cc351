"""The people of the sample traffic: what they know, how they work, the slips they make."""
