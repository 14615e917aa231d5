"""A Flask page: choose a photo, see the label and the confidence.

`app` makes the application, `page` and `api` are its topics, `model` holds the model, `image_header` and `safety` keep
hostile uploads and pages out, `server` serves it on a desk. Run it: `python -m webdemo`.
"""
