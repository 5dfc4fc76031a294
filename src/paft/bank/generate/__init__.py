"""Prompts from language models."""
