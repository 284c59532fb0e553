called = {}


def on_image_grid(work):
    called["image_grid"] = work


def on_app_started(work):
    called["app_started"] = work
