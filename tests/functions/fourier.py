"""Rows of numpy.fft."""

from __future__ import annotations

from tests.functions.rows import call, row

row("np.fft.fft", call((3,)), call((2, 3), 4, 0, "ortho"), call((2, 4), n=3, norm="forward"))
row("np.fft.ifft", call((3,)), call((2, 3), 4, 0, "ortho"), call((2, 4), n=3, norm="forward"))
row("np.fft.rfft", call((4,)), call((3, 2), 5, 0, "ortho"), call((2, 4), n=3, norm="forward"))
row("np.fft.irfft", call((4,)), call((3, 2), 5, 0, "ortho"), call((2, 4), n=4, norm="forward"))
row("np.fft.hfft", call((4,)), call((3, 2), 5, 0, "ortho"), call((2, 4), n=4, norm="forward"))
row("np.fft.ihfft", call((4,)), call((3, 2), 5, 0, "ortho"), call((2, 4), n=3, norm="forward"))
for name in ("fft2", "ifft2", "rfft2", "irfft2"):
    row(
        f"np.fft.{name}",
        call((3, 4)),
        call((2, 3, 2), s=(3, 4), axes=(0, 2), norm="ortho"),
        call((2, 3), axes=(1, 0), norm="forward"),
    )
for name in ("fftn", "ifftn", "rfftn", "irfftn"):
    row(
        f"np.fft.{name}",
        call((2, 3, 2)),
        call((2, 3, 2), s=(3, 2), axes=(2, 1), norm="ortho"),
        call((3, 3), s=(2, 4), axes=(1, 1), norm="forward"),
    )
row("np.fft.fftshift", call((3,)), call((2, 5), 1), call((2, 3), axes=(0, 1)))
row("np.fft.ifftshift", call((3,)), call((2, 5), 1), call((2, 3), axes=(0, 1)))
