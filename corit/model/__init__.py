"""The paper's Section IV: CoRIT, equations (17)-(25), and the UniFD baseline."""
