"""HTML elements, numbers as text, and charts as SVG."""
