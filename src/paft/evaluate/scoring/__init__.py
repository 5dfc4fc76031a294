"""How a cell is scored: likelihood, generation, a server, vLLM."""
