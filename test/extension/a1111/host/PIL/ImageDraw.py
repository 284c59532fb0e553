class Draw:
    def __init__(self, picture):
        self.picture = picture
        picture.lines = []

    def text(self, place, line, fill=None):
        self.picture.lines.append(line)
