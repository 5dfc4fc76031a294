"""Numbers in, numbers out: summaries, intervals, paired comparisons."""
