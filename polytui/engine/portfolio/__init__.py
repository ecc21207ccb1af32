"""What we own, what is under way, what could be lost, and what was earned: per realm, exactly."""
