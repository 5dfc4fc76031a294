"""Stage 1: a bank of prompts, split into seen and unseen, frozen by a fingerprint."""

from paft.bank.split import near_duplicates_across, near_warnings, split_prompts
from paft.bank.store import Bank, load_bank

__all__ = ["Bank", "load_bank", "near_duplicates_across", "near_warnings", "split_prompts"]
