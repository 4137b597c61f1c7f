"""BFCL v4 multi-turn: a user asks in several turns, the agent serves them with simulated APIs."""
