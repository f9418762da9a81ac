"""Images to the angles they are turned by, and upright copies of them."""
