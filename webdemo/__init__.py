"""A Flask page: upload a photo, see the label and the confidence."""
