"""Train with SFT, DPO and KTO on TRL."""
