"""Answers that are programs: run and tested in processes of their own."""
