"""The trained part: linear and perceptron heads, SAM, and one fit for one head or thousands."""
