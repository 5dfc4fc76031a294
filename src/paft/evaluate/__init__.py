"""Stage 3: the score of every (prompt, example) cell, and what it says about robustness."""
