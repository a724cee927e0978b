/* build/picture: pictures that are made of pixels (libpng).
 *
 *   picture pixels IN.tsv OUT.png SCALE     lines `x <tab> y <tab> red <tab> green <tab> blue` (0..255), each
 * pixel a square of SCALE x SCALE; what is not listed is the figures' ground picture annotate FILE.png
 * COMMAND COMMIT     adds the command and the commit as text chunks, in place
 *
 * A line that is no pixel ends the program with a sentence, and nothing is written. */
#include <png.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16384, CHANNELS = 3 };
static const uint8_t ground[CHANNELS] = {0xfd, 0xfd, 0xfb};

typedef struct {
    int width, height;
    uint8_t *pixels; /* (height, width, 3) */
} Picture;

static void die(const char *path, const char *why)
{
    fprintf(stderr, "picture: %s: %s\n", path, why);
    exit(1);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        die(path, "cannot be opened");
    return file;
}

/* One line of IN.tsv; false at its end. */
static bool next_pixel(FILE *file, const char *path, int pixel[5])
{
    char line[256];
    do {
        if (!fgets(line, sizeof line, file))
            return false;
    } while (line[0] == '#');
    const bool read =
        sscanf(line, "%d %d %d %d %d", &pixel[0], &pixel[1], &pixel[2], &pixel[3], &pixel[4]) == 5;
    bool good = read && pixel[0] >= 0 && pixel[0] < MOST && pixel[1] >= 0 && pixel[1] < MOST;
    for (int i = 2; i < 5; i++)
        good = good && pixel[i] >= 0 && pixel[i] <= 255;
    if (!good)
        die(path, "has a line that is no pixel `x <tab> y <tab> red <tab> green <tab> blue`");
    return true;
}

static Picture read_pixels(const char *path, int scale)
{
    FILE *file = open_file(path, "r");
    Picture picture = {0};
    int pixel[5];
    while (next_pixel(file, path, pixel)) {
        picture.width = pixel[0] >= picture.width ? pixel[0] + 1 : picture.width;
        picture.height = pixel[1] >= picture.height ? pixel[1] + 1 : picture.height;
    }
    if (picture.width == 0)
        die(path, "has no pixels");
    picture.width *= scale;
    picture.height *= scale;
    const size_t count = (size_t)picture.width * picture.height;
    if (!(picture.pixels = malloc(count * CHANNELS)))
        die(path, "is too large for the memory");
    for (size_t i = 0; i < count; i++)
        memcpy(picture.pixels + i * CHANNELS, ground, CHANNELS);
    rewind(file);
    while (next_pixel(file, path, pixel))
        for (int y = pixel[1] * scale; y < (pixel[1] + 1) * scale; y++)
            for (int x = pixel[0] * scale; x < (pixel[0] + 1) * scale; x++)
                for (int c = 0; c < CHANNELS; c++)
                    picture.pixels[((size_t)y * picture.width + x) * CHANNELS + c] = (uint8_t)pixel[2 + c];
    fclose(file);
    return picture;
}

static Picture read_png(const char *path)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path))
        die(path, image.message);
    image.format = PNG_FORMAT_RGB;
    Picture picture = {(int)image.width, (int)image.height, malloc(PNG_IMAGE_SIZE(image))};
    const png_color background = {ground[0], ground[1], ground[2]};
    if (!picture.pixels || !png_image_finish_read(&image, &background, picture.pixels, 0, NULL))
        die(path, picture.pixels ? image.message : "is too large for the memory");
    return picture;
}

/* Under a temporary name, then renamed: a file that is there is a whole one. */
static void write_png(const char *path, Picture picture, const char *command, const char *commit)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        die(path, "is too long a name");
    FILE *file = open_file(temporary, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) {
        remove(temporary);
        die(path, "cannot be written");
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)picture.width, (png_uint_32)picture.height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_text text[] = {
        {.compression = PNG_TEXT_COMPRESSION_NONE, .key = (char *)"Command", .text = (char *)command},
        {.compression = PNG_TEXT_COMPRESSION_NONE, .key = (char *)"Commit", .text = (char *)commit}};
    if (command)
        png_set_text(png, info, text, 2);
    png_write_info(png, info);
    for (int y = 0; y < picture.height; y++)
        png_write_row(png, picture.pixels + (size_t)y * picture.width * CHANNELS);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    if (fclose(file) != 0 || rename(temporary, path) != 0)
        die(path, "cannot be written");
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "pixels") == 0) {
        char *end;
        const long scale = strtol(argv[4], &end, 10);
        if (*end || scale < 1 || scale > 64)
            die(argv[4], "is no scale: a whole number from 1 to 64");
        Picture picture = read_pixels(argv[2], (int)scale);
        write_png(argv[3], picture, NULL, NULL);
        free(picture.pixels);
        return 0;
    }
    if (argc == 5 && strcmp(argv[1], "annotate") == 0) {
        Picture picture = read_png(argv[2]);
        write_png(argv[2], picture, argv[3], argv[4]);
        free(picture.pixels);
        return 0;
    }
    fprintf(argc < 2 || strcmp(argv[1], "--help") ? stderr : stdout,
            "picture pixels IN.tsv OUT.png SCALE\npicture annotate FILE.png COMMAND COMMIT\n");
    return argc < 2 || strcmp(argv[1], "--help") ? 2 : 0;
}
