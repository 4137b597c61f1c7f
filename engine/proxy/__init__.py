"""An OpenAI-compatible endpoint over the journal: every reply is paid once."""
