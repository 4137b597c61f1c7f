"""A web shop to buy in by text: WebShop (Yao et al. 2022, arXiv:2207.01206). See `env`."""
