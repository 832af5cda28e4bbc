"""An Android phone over adb."""

from latency_lut.android.device import AdbDevice

__all__ = ["AdbDevice"]
