"""Prompt templates, written by a model (KwaiAgents' Meta-Agent) or put together by rule."""
