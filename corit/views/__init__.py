"""One picture becomes its views: the image, its self-blended twin and its patch regions."""
