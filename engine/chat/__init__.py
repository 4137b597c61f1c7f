"""Chat models: endpoint, retries, rate limits, prices, budget and the journal of paid replies."""
