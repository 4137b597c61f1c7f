"""Turn the trees of a run into SFT and DPO rows."""
