"""Any browser as a device: a page with onnxruntime-web works through a campaign."""

from latency_lut.browser.device import BrowserDevice
from latency_lut.browser.settings import Settings

__all__ = ["BrowserDevice", "Settings"]
