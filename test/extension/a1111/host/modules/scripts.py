import os

AlwaysVisible = object()


class Script:
    is_img2img = False

    def elem_id(self, item):
        return f"script_{'img2img' if self.is_img2img else 'txt2img'}_renoir_{item}"

    def process(self, p, *args):
        pass

    def postprocess_image(self, p, pp, *args):
        pass

    def postprocess(self, p, processed, *args):
        pass


if not os.environ.get("HOST_WITHOUT_COMPOSITE"):  # as SD.Next and older A1111

    def postprocess_image_after_composite(self, p, pp, *args):
        pass

    Script.postprocess_image_after_composite = postprocess_image_after_composite
