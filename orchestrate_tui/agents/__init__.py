"""Who does a stage's work: one small contract, and one module per kind of agent."""
