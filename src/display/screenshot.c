/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Screenshots, see screenshot.h.  The picture is copied while it is locked, and packed afterwards:
 * packing takes long enough for viewers to notice.
 */
#include "display/screenshot.h"

#include <errno.h>
#include <png.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "display/display.h"

enum { PNG_LEVEL = 3 }; /* of a console: a third of the time of the usual 6, 5 % more bytes */

/* A copy of the picture as rows of red, green, blue; NULL: no memory. */
static uint8_t *copy(Display *display, unsigned *ret_width, unsigned *ret_height)
{
    display_refresh(display);
    const DisplayImage *image = display_lock(display);
    size_t n = (size_t)image->width * image->height;
    uint8_t *rgb = g_try_malloc(n * 3);

    for (size_t i = 0; i < n && rgb; i++) {
        rgb[3 * i] = (uint8_t)(image->pixels[i] >> 16);
        rgb[3 * i + 1] = (uint8_t)(image->pixels[i] >> 8);
        rgb[3 * i + 2] = (uint8_t)image->pixels[i];
    }
    *ret_width = image->width;
    *ret_height = image->height;
    display_unlock(display);
    return rgb;
}

static void write_bytes(png_structp png, png_bytep data, png_size_t len)
{
    g_byte_array_append(png_get_io_ptr(png), data, (guint)len);
}

static void flush_bytes(png_structp png)
{
}

/* Apart, since longjmp() spares no variable. */
static bool pack_rows(png_structp png, png_infop info, const uint8_t *rgb, unsigned width,
                      unsigned height)
{
    if (setjmp(png_jmpbuf(png))) {
        return false;
    }
    png_set_compression_level(png, PNG_LEVEL);
    png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (unsigned y = 0; y < height; y++) {
        png_write_row(png, rgb + (size_t)y * width * 3);
    }
    png_write_end(png, info);
    return true;
}

static bool pack_png(GByteArray *file, const uint8_t *rgb, unsigned width, unsigned height)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool good = false;

    if (info) {
        png_set_write_fn(png, file, write_bytes, flush_bytes);
        good = pack_rows(png, info, rgb, width, height);
    }
    png_destroy_write_struct(&png, &info);
    return good;
}

static bool pack_ppm(GByteArray *file, const uint8_t *rgb, unsigned width, unsigned height)
{
    g_autofree char *header = g_strdup_printf("P6\n%u %u\n255\n", width, height);

    g_byte_array_append(file, (const uint8_t *)header, (guint)strlen(header));
    g_byte_array_append(file, rgb, width * height * 3);
    return true;
}

GByteArray *screenshot_take(Display *display, ScreenshotFormat format, GError **error)
{
    unsigned width, height;
    g_autofree uint8_t *rgb = copy(display, &width, &height);
    g_autoptr(GByteArray) file = g_byte_array_new();

    if (!rgb || !(format == SCREENSHOT_PNG ? pack_png : pack_ppm)(file, rgb, width, height)) {
        set_error(error, "cannot make a screenshot of %u by %u: no memory", width, height);
        return NULL;
    }
    return g_steal_pointer(&file);
}

bool screenshot_write_fd(Display *display, ScreenshotFormat format, int fd, GError **error)
{
    g_autoptr(GByteArray) file = screenshot_take(display, format, error);

    for (guint done = 0; file && done < file->len;) {
        ssize_t n = write(fd, file->data + done, file->len - done);
        if (n < 0 && errno != EINTR) {
            set_error_errno(error, errno, "cannot write the screenshot");
            return false;
        }
        done += n > 0 ? (guint)n : 0;
    }
    return file != NULL;
}

bool screenshot_write(Display *display, ScreenshotFormat format, const char *path, GError **error)
{
    g_autoptr(GByteArray) file = screenshot_take(display, format, error);

    return file && g_file_set_contents(path, (const char *)file->data, file->len, error);
}
