# frozen_string_literal: true

module ApplicationHelper
  def page_title
    [content_for(:title), t("shop.name")].compact.join(" | ")
  end

  def navigation_link(label, path)
    link_to_unless_current(label, path, class: "navigation-link") do
      tag.span(label, class: "navigation-link current", aria: { current: "page" })
    end
  end

  def money(amount)
    number_to_currency(amount)
  end
end
