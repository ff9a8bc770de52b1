"""The small models of fixtures/small, by subject. Each module has a dict MODELS of name: function that gives the model."""
