"""Paths with a token in them, and paths that only look odd: how the logs show each.

The routes are those of Odoo 18; the tokens have the forms that Odoo gives them.
"""

from typing import Final

_UUID: Final = "0e3f4d2c-5b1a-4c8e-9f70-a1b2c3d4e5f6"  # str(uuid4()): access_token, most of them
_HEX: Final = "9f86d081884c7d659a2feaa0c55ad015"  # uuid4().hex
_HMAC: Final = f"{_HEX}a3bf4f1b2b0b822cd15d6c15b0f00a08"  # tools.hmac
_DISCUSS: Final = "aB3dE6gH9j"  # discuss.channel, ten characters
_URLSAFE: Final = "Drmhze6EPcv0fN_81Bj-nA0xyz5YkQ2wLMt"  # secrets.token_urlsafe, base64url
_LETTERS: Final = "k3J9xQ2mZ7pL5vR8tY1w"  # auth_signup's random_token, 20 letters and digits
_SLUG: Final = "iphone-15-pro-max-256gb-titanium-black-2nd-hand-44"

MASKED: Final = [
    # rating, survey, calendar, mass_mailing, website_slides, base_automation, hr_attendance,
    # spreadsheet_dashboard
    (f"/rate/{_HEX}/5", "/rate/***/5"),
    (f"/rate/{_HEX}/submit_feedback", "/rate/***/submit_feedback"),
    (f"/survey/start/{_UUID}", "/survey/start/***"),
    (f"/survey/{_UUID}/{_UUID}", "/survey/***/***"),
    (f"/survey/{_UUID}/3/get_background_image", "/survey/***/3/get_background_image"),
    (f"/survey/get_question_image/{_UUID}/{_UUID}/7/8", "/survey/get_question_image/***/***/7/8"),
    (f"/fr/survey/print/{_UUID}/", "/fr/survey/print/***/"),
    (f"/calendar/join_videocall/{_HEX}", "/calendar/join_videocall/***"),
    (f"/mail/track/1/{_HMAC}/blank.gif", "/mail/track/1/***/blank.gif"),
    (f"/web/hook/{_UUID}", "/web/hook/***"),
    (f"/hr_attendance/{_HEX}", "/hr_attendance/***"),
    (f"/dashboard/download/12/{_UUID}", "/dashboard/download/12/***"),
    (f"/my/orders/7/{_UUID.upper()}", "/my/orders/7/***"),
    # Odoo Enterprise's documents and sign; modules of others
    (f"/documents/content/{_URLSAFE[:22]}o1a", "/documents/content/***"),
    (f"/sign/document/3/{_UUID}", "/sign/document/3/***"),
    (f"/hook/{_LETTERS}", "/hook/***"),
    (f"/hook/{_LETTERS.lower()}", "/hook/***"),
    (f"/hook/{_URLSAFE}", "/hook/***"),
    (f"/hook/{_URLSAFE}=", "/hook/***"),
    (f"/hook/{_URLSAFE}%3D%3D", "/hook/***"),
    (f"/hook/sk_live_{_LETTERS}", "/hook/***"),
    (f"/hook/eyJhbGciOiJub25lIn0.eyJhIjoxfQ.{_URLSAFE}", "/hook/***"),
    (f"/files/{_UUID}.pdf", "/files/***.pdf"),
    (f"/a/{_HEX}/b/{_HEX}/c/{_HEX}/{_UUID}", "/a/***/b/***/c/***/***"),
    # Short ones, told by the place: discuss, point_of_sale, link_tracker, mass_mailing_sms,
    # website_sale_loyalty, survey
    (f"/chat/1/{_DISCUSS}", "/chat/1/***"),
    (f"/es_419/chat/1/{_DISCUSS}", "/es_419/chat/1/***"),
    (f"/chat/{_DISCUSS}/sales", "/chat/***/sales"),
    (f"/meet/{_DISCUSS}", "/meet/***"),
    (f"/pos_customer_display/2/{_HEX[:16]}", "/pos_customer_display/2/***"),
    ("/r/aBc", "/r/***"),
    ("/r/aBc+", "/r/***"),
    ("/fr_BE/r/aBc/m/12", "/fr_BE/r/***/m/12"),
    ("/sms/4/x7Q", "/sms/4/***"),
    ("/sms/4/unsubscribe/x7Q", "/sms/4/unsubscribe/***"),
    ("/coupon/044a-1b2c-3d4e", "/coupon/***"),
    ("/s/4711", "/s/***"),
]

READABLE: Final = [
    "/",
    "/web/login",
    "/odoo/contacts/12",
    "/odoo/action-123/new",
    "/web/health",
    "/websocket",
    "/web/dataset/call_kw/res.partner/web_search_read",
    "/web/dataset/call_kw/account.move.line.asset.depreciation/action_read",
    "/json/2/res.partner/search_read",
    "/xmlrpc/2/common",
    "/mail_plugin/static/src/to_translate/translations_gmail.xml",
    "/web/static/lib/odoo_ui_icons/fonts/odoo_ui_icons.woff2",
    "/web/static/src/libs/fontawesome/fonts/fontawesome-webfont.woff2",
    "/web/static/lib/pdfjs/web/cmaps/UniJIS-UTF16-H.bcmap",
    "/web_editor/static/src/img/snippets_thumbs/s_product_catalog.svg",
    "/l10n_in_reports_gstr_document_summary_2024/static/description/icon.png",
    "/web/assets/1/4ae2b7f/web.assets_frontend_lazy.min.js",
    "/web/assets/4ae2b7f/web.assets_backend_lazy_dark.min.css",
    "/web/bundle/web_editor.assets_media_dialog",
    "/web/image/res.partner/3/avatar_1920/1024x768/Portrait-Of-A-Colleague.jpg",
    "/web/image/website.s_carousel_default_image_1",
    f"/shop/{_SLUG}",
    f"/shop/category/furniture-and-other-things-3/{_SLUG}",
    "/shop/my-product-with-a-long-name-12",
    "/blog/our-blog-1/how-we-made-it-through-the-year-2025-and-what-comes-3",
    "/shop/%E4%BA%A7%E5%93%81-%E4%B8%80%E4%BA%8C%E4%B8%89-12",
    "/Some-Older-Page-About-Our-Team-Of-2019",
    "/myControllerThatIsNamedInCamelCase",
    "/report/pdf/account.report_invoice_with_payments/12,13",
    "/report/barcode/EAN13/4006381333931",
    "/survey/start/customer_satisfaction_survey",
    "/chat/12",
    "/r",
    "/website/translations",
    "/rest/v1/rpc/enqueue_job",
    "/my/invoices/12",
    "/mail/mailing/1/unsubscribe",
    "/discuss/channel/messages",
    "/cards/spring-campaign-with-a-long-name-12/card.jpg",
]
