"""Speech engines that run on this machine, without a network: the extra ``offline``."""
