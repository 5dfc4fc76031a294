"""Reinforcement fine-tuning: TRL's GRPOTrainer on the examples and prompts that the schedule draws."""
