"""What a run tells other systems while it goes on: OpenTelemetry spans, figures for trackers.

Nothing is imported, and nothing changes, where nobody asks for it.
"""
