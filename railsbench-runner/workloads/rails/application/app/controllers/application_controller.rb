# frozen_string_literal: true

class ApplicationController < ActionController::Base
  protect_from_forgery with: :exception

  around_action :use_locale

  private

  def use_locale(&action)
    I18n.with_locale(params[:locale] || I18n.default_locale, &action)
  end

  def default_url_options
    I18n.locale == I18n.default_locale ? {} : { locale: I18n.locale }
  end
end
