"""Who may come in, and how much: API keys, rate limits and budgets."""
