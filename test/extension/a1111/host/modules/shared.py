class Bag:
    def __init__(self, **values):
        self.__dict__.update(values)


cmd_opts = Bag(disable_extension_access=False)
opts = Bag(outdir_samples="", outdir_txt2img_samples="outputs/txt2img-images")
state = Bag(interrupted=False, job_timestamp="1")
